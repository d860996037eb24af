"""The requirements form of Talele (2024), what it rests on, and challenges with their solutions."""
