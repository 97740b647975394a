#!/bin/sh
cp /solution/retry_schedule.py /app/retry_schedule.py
