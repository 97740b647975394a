#!/bin/sh
cp /solution/text_wrapper.py /app/text_wrapper.py
