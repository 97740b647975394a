#!/bin/sh
mkdir -p /logs/verifier
echo 0 > /logs/verifier/reward.txt
python3 /tests/harbor_cases.py /tests/cases.toml /app dependency_order /logs/verifier/reward.txt
