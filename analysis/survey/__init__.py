"""Questionnaire answers, published or collected, and the audit of published figures."""
