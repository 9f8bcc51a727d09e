"""What must hold on a device while it is measured: pinned, checked or recorded, and restored afterwards."""
