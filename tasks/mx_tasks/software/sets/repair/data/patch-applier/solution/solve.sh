#!/bin/sh
cp /solution/patch_applier.py /app/patch_applier.py
