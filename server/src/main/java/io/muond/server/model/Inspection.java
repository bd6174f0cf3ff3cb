package io.muond.server.model;

import io.muond.v1.InspectModelResponse;
import io.muond.v1.InspectionHeader;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;

/** What an inspection says, message by message: each is computed when it is asked for. */
public final class Inspection {
  private final Queue<HostPiece> pieces;
  private InspectionHeader header;

  Inspection(InspectionHeader header, List<HostPiece> pieces) {
    this.header = header;
    this.pieces = new ArrayDeque<>(pieces);
  }

  /** The next message, or null after the last one. */
  public InspectModelResponse next() {
    if (header != null) {
      InspectModelResponse first = InspectModelResponse.newBuilder().setHeader(header).build();
      header = null;
      return first;
    }
    HostPiece piece = pieces.poll();
    return piece == null
        ? null
        : InspectModelResponse.newBuilder()
            .setParameter(new PieceMeasures(piece).inspect())
            .build();
  }
}
