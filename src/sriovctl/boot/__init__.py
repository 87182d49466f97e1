"""Boot loaders: the text of their files in, the text with the wanted kernel arguments out.

One module a loader, each a pure function of text. What is not an argument of the kernel is not
touched by a byte.
"""
