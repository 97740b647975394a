"""One episode: a design running in a sandbox, its questions, the record, the rewards. No PettingZoo here."""
