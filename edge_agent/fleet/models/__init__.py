"""Models from the signed repository: fetched, verified, kept, tested, tried, used and taken back.

What comes is verified before it is stored and stored before it is used; the last good model stays.
"""
