"""Planted bugs: mistakes that such a queue is prone to, each put into a copy of the product, where a named check must turn red.

The bugs are files under ``patches/``: what is wrong, why it matters, which text of the source becomes which, and the check.
``python -m tests.proof.planted`` plants them one by one; the product's own source is never touched and has no switches.
"""
