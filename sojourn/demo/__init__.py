"""Lively made-up traffic: stories of chats, agents, workflows and batch jobs, told as the spans that real ones send."""
