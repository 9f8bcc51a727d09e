"""setup.sh on the systems that people have."""
