"""Evaluation, studies, reports."""
