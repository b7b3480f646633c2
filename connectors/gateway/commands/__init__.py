"""Commands of people and programs: carried out once, durable before their answers, and kept with who gave them."""
