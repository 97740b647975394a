#!/bin/sh
cp /solution/lru_cache.py /app/lru_cache.py
