"""Recording by the raw buffers of ftrace, and their conversion to a Perfetto trace."""
