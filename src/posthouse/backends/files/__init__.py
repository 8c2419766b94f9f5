"""Blobs in files: packs for small ones, a file each for large ones."""
