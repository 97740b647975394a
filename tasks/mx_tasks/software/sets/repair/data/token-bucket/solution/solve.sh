#!/bin/sh
cp /solution/token_bucket.py /app/token_bucket.py
