package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.modular.PlannedTree;
import io.muond.modular.Planner;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.CreateModelRequest.InitializationCase;
import io.muond.v1.Parameter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Checks requests for models and fills in their defaults. */
final class ModelReader {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");
  private static final Pattern WORKER = Pattern.compile("[!-~&&[^,\"\\\\]]{1,64}");
  private static final int MAX_WORKERS = 1_024;

  private final CreateModelRequest request;

  private ModelReader(CreateModelRequest request) {
    this.request = requireNonNull(request, "request is null");
  }

  /** Reads {@code request}, or says what is wrong with it. */
  static ModelSpec read(CreateModelRequest request) {
    return new ModelReader(request).read();
  }

  private ModelSpec read() {
    String name = requireName("model", request.getModel());
    if (request.getInitializationCase() == InitializationCase.INITIALIZATION_NOT_SET) {
      throw Refusals.invalidField("initialization", "absent", "seed or upload");
    }
    List<String> workers = workers(request.getWorkersList());
    int maxWorkers = request.getMaxWorkers() == 0 ? workers.size() : request.getMaxWorkers();
    if (maxWorkers < workers.size() || maxWorkers > MAX_WORKERS) {
      throw Refusals.invalidField(
          "max_workers",
          Integer.toUnsignedString(maxWorkers),
          "at least the number of workers, " + workers.size() + ", and at most " + MAX_WORKERS);
    }
    Optional<PlannedTree> tree =
        request.hasModule()
            ? Optional.of(ModuleLayout.read(request.getModule()))
            : Optional.empty();
    List<ParameterSpec> parameters = parameters(tree);
    return new ModelSpec(
        name,
        request,
        parameters,
        tree.map(PlannedTree::plan),
        workers,
        maxWorkers,
        request.getOverlapSteps(),
        leaseTtl(),
        DurabilityReader.everySteps(request.getDurability()),
        DurabilityReader.retention(request.getDurability()),
        ScheduleReader.read(request, parameters));
  }

  static String requireName(String field, String name) {
    if (!NAME.matcher(name).matches()) {
      throw Refusals.invalidField(
          field,
          '"' + name + '"',
          "1 to 128 characters of [A-Za-z0-9._-], the first a letter or a digit");
    }
    return name;
  }

  /** The set of workers, sorted; one with the empty id if none is named. */
  static List<String> workers(Collection<String> ids) {
    if (ids.isEmpty()) {
      return List.of("");
    }
    Set<String> sorted = new TreeSet<>();
    for (String id : ids) {
      if (!WORKER.matcher(id).matches()) {
        throw Refusals.invalidField(
            "workers",
            '"' + id + '"',
            "1 to 64 printable ASCII characters without spaces, ',', '\"' and '\\'");
      }
      if (!sorted.add(id)) {
        throw Refusals.invalidField("workers", '"' + id + "\" twice", "distinct ids");
      }
    }
    return List.copyOf(sorted);
  }

  private List<ParameterSpec> parameters(Optional<PlannedTree> tree) {
    List<Parameter> declared = tree.map(PlannedTree::parameters).orElseGet(this::flatParameters);
    RuleReader.checkDefault("default_rule", request.getDefaultRule());
    Set<String> names = new HashSet<>();
    List<ParameterSpec> specs = new ArrayList<>();
    int pieces = 0;
    for (Parameter parameter : declared) {
      if (!names.add(parameter.getName())) {
        throw Refusals.duplicateParameter(parameter.getName());
      }
      int index = specs.size();
      String field =
          tree.map(planned -> ModuleLayout.field(planned.paths().get(index)))
              .orElse("parameters.parameters[" + index + "]");
      ParameterSpec spec =
          ParameterReader.read(field, index, pieces, parameter, request.getDefaultRule());
      specs.add(spec);
      pieces += spec.pieces().size();
    }
    requireDistinctReports(specs);
    return List.copyOf(specs);
  }

  /** A parameter may be called as reports call a range of another. */
  private static void requireDistinctReports(List<ParameterSpec> parameters) {
    Set<String> names = new HashSet<>();
    for (ParameterSpec parameter : parameters) {
      for (Piece piece : parameter.pieces()) {
        if (!names.add(piece.name())) {
          throw Refusals.duplicateParameter(piece.name());
        }
      }
    }
  }

  private List<Parameter> flatParameters() {
    if (!request.hasParameters()) {
      throw Refusals.invalidField("layout", "absent", "parameters or module");
    }
    List<Parameter> declared = request.getParameters().getParametersList();
    if (declared.isEmpty()) {
      throw Refusals.invalidField("parameters.parameters", "empty", "at least one parameter");
    }
    if (declared.size() > Planner.MAX_ATOMS) {
      throw Refusals.invalidField(
          "parameters.parameters",
          declared.size() + " parameters",
          "at most " + Planner.MAX_ATOMS + ", as many as a tree may have");
    }
    return declared;
  }

  private Optional<Duration> leaseTtl() {
    if (!request.hasLeaseTtl()) {
      return Optional.empty();
    }
    return Optional.of(DurabilityReader.duration("lease_ttl", request.getLeaseTtl()));
  }
}
