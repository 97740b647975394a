#!/bin/sh
cp /solution/interval_merger.py /app/interval_merger.py
