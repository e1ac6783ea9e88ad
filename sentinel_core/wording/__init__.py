"""Labels, times, plurals and colours shared by the viewer, the terminal and messages. No I/O."""
