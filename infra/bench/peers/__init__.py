"""The market agent's work in the peers' own ways; nothing here imports Tradewind: a peer has its own environment."""
