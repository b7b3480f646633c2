"""How providers write requests and answers: one module a family, without how they travel."""
