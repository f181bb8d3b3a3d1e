"""The demo platform: speaks every protocol, searches a fictional web, and is marked as demo everywhere.

Served only with DEMO=1. A run calls it over HTTP like any platform. The same request gives the same answer.
"""
