"""A processor as a user would write it: spans of health checks are dropped."""

import pyarrow as pa
import pyarrow.compute as pc

from sojourn import Batch, Processor


class Tidy(Processor):
    """Drops spans that nobody wants to see."""

    names: tuple[str, ...] = ("GET /health", "GET /ready")
    """Names of the spans to drop."""

    def process(self, batch):
        unwanted = pc.is_in(batch.records["SpanName"].cast("string"), value_set=pa.array(self.names))
        return [Batch(batch.table, batch.records.filter(pc.invert(unwanted)))]
