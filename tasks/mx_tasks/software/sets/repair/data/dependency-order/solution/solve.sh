#!/bin/sh
cp /solution/dependency_order.py /app/dependency_order.py
