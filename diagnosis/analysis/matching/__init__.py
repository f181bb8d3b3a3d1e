"""Matching of brand names in Chinese and mixed text: normalization, names, web addresses, disambiguation."""
