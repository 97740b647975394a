"""The same episode as PettingZoo and Gymnasium environments."""
