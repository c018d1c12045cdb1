"""Situations anyone can read, one folder each: what is sent, and which rows must come out. See README.md beside this file."""
