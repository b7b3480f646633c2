"""The market agent's work in the peers' own ways; nothing here imports Tradewind, for a peer has its own environment."""
