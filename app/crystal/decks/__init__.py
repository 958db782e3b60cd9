"""Decks: read into a model, written from a form's answers, checked, annotated, given other basis sets."""
