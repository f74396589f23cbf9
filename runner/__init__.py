"""Take submissions from the queue to the leaderboard: `app` composes, `dispatcher` claims, `flow` shows the stages."""
