"""Every text operation as one kernel: a plain function over bytes, written once for the CPU and for CUDA.

`kernel` declares what a kernel is; each other module holds one idea. Nothing here knows of Arrow, tables or recipes:
an engine takes the text out of a table, calls a kernel on every row, and puts the answer back.
"""
