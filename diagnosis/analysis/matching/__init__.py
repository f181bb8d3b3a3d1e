"""Brands in Chinese and mixed text: folding, names, addresses, and what an ambiguous name means in its place."""
