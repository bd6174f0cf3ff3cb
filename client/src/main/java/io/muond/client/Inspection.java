package io.muond.client;

import io.muond.v1.InspectionHeader;
import io.muond.v1.ParameterInspection;
import java.util.List;

/**
 * How a model's weights are.
 *
 * @param header as of when
 * @param parameters in the order of declaration, ranges one by one
 */
public record Inspection(InspectionHeader header, List<ParameterInspection> parameters) {
  public Inspection {
    parameters = List.copyOf(parameters);
  }
}
