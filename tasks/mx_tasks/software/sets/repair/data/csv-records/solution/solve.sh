#!/bin/sh
cp /solution/csv_records.py /app/csv_records.py
