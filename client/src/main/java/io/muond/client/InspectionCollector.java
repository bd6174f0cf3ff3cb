package io.muond.client;

import io.muond.v1.InspectModelResponse;
import io.muond.v1.InspectionHeader;
import io.muond.v1.ParameterInspection;
import java.util.ArrayList;
import java.util.List;

/** Keeps an inspection as it comes. */
final class InspectionCollector implements Connection.Reader<InspectModelResponse, Inspection> {
  private final List<ParameterInspection> parameters = new ArrayList<>();
  private InspectionHeader header = InspectionHeader.getDefaultInstance();

  @Override
  public void accept(InspectModelResponse message) {
    if (message.hasHeader()) {
      header = message.getHeader();
    } else {
      parameters.add(message.getParameter());
    }
  }

  @Override
  public Inspection finish() {
    return new Inspection(header, parameters);
  }
}
