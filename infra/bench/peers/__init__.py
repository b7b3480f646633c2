"""The same work as the market agent, in the peers' own ways. Nothing here imports Tradewind: peers run in their own environment."""
