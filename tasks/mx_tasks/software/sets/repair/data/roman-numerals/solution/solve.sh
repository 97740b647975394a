#!/bin/sh
cp /solution/roman_numerals.py /app/roman_numerals.py
