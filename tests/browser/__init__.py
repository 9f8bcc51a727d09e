"""The pages that people look at, in a real browser that reaches nothing but this machine."""
