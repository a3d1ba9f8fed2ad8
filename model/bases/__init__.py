"""Conversion between expression bases: registration of two heads, and a linear map that is fitted and applied."""
