"""Causal language models in Hugging Face's format: read, written, sampled from, and how chats are spelt for them."""
