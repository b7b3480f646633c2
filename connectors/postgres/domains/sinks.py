"""PostgreSQL tables that the sink itself needs: how far each partition of Kafka is written."""

from tradewind.connectors.postgres.table import Domain, Migration

CREATE = """
CREATE TABLE sink_positions (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    topic_id    text,
    next_offset bigint,
    epoch       bigint NOT NULL,
    claimed_at  timestamptz NOT NULL DEFAULT now(),
    written_at  timestamptz,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE sink_positions IS 'How far each partition of Kafka is written, in the same transactions as its rows.';
COMMENT ON COLUMN sink_positions.topic_id IS
    'Kafka''s id of the topic: another one means that it was created anew, and is read from its start.';
COMMENT ON COLUMN sink_positions.next_offset IS 'The record to go on with; null where nothing has been written.';
COMMENT ON COLUMN sink_positions.epoch IS
    'Rises when a process takes the partition; writes of an older epoch are refused.';
"""

SINKS = Domain("sinks", migrations=(Migration("sink positions", CREATE),))
