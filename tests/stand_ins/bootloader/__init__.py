"""A fake bootloader that speaks fastboot to the real client, and a fake phone that boots from it."""
