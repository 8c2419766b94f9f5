"""Autodiscover: tells clients where what they speak is answered."""
