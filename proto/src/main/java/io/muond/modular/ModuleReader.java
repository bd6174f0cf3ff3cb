package io.muond.modular;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import io.muond.v1.Bond;
import io.muond.v1.Embed;
import io.muond.v1.Linear;
import io.muond.v1.Mass;
import io.muond.v1.Module;
import io.muond.v1.Repeat;
import io.muond.v1.Scale;
import io.muond.v1.Sequence;
import io.muond.v1.Sum;
import io.muond.v1.Tuple;
import java.io.EOFException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Reads the JSON form: its syntax, its keys and their types. Values are checked elsewhere. */
final class ModuleReader {
  private final JsonReader json;

  ModuleReader(JsonReader json) {
    this.json = json;
  }

  /** Reads one module, and nothing after it. */
  Module read() throws IOException {
    try {
      Module module = module(TreePath.ROOT, 1);
      if (json.peek() != JsonToken.END_DOCUMENT) {
        throw new ModuleException(TreePath.ROOT, "followed by more text (expected: its end)");
      }
      return module;
    } catch (MalformedJsonException | EOFException e) {
      throw new ModuleException(
          TreePath.ROOT, "not valid JSON near " + Checks.quote(json.getPath()), e);
    }
  }

  private Module module(TreePath path, int depth) throws IOException {
    if (depth > Planner.MAX_DEPTH) {
      throw new ModuleException(
          path, "too deep (expected: at most " + Planner.MAX_DEPTH + " levels)");
    }
    Fields.expect(json, path, JsonToken.BEGIN_OBJECT, "an object with one of " + ModuleJson.KINDS);
    json.beginObject();
    if (!json.hasNext()) {
      throw new ModuleException(path, "empty (expected one of " + ModuleJson.KINDS + ")");
    }
    String kind = json.nextName();
    Module module = module(kind, path, depth);
    if (json.hasNext()) {
      throw new ModuleException(
          path,
          "has " + Checks.quote(json.nextName()) + " beside " + kind + " (expected: one key)");
    }
    json.endObject();
    return module;
  }

  private Module module(String kind, TreePath path, int depth) throws IOException {
    TreePath here = path.child(kind);
    Module.Builder module = Module.newBuilder();
    switch (kind) {
      case "linear" -> module.setLinear(linear(here));
      case "embed" -> module.setEmbed(embed(here));
      case "bond" -> module.setBond(bond(here));
      case "sequence" ->
          module.setSequence(Sequence.newBuilder().addAllModules(modules(kind, path, depth)));
      case "tuple" -> module.setTuple(Tuple.newBuilder().addAllModules(modules(kind, path, depth)));
      case "sum" -> module.setSum(Sum.newBuilder().addAllModules(modules(kind, path, depth)));
      case "scale" -> module.setScale(scale(here, depth));
      case "repeat" -> module.setRepeat(repeat(here, depth));
      case "mass" -> module.setMass(mass(here, depth));
      default ->
          throw new ModuleException(
              path,
              "unknown module "
                  + Checks.quote(kind)
                  + " (expected one of "
                  + ModuleJson.KINDS
                  + ")");
    }
    return module.build();
  }

  private Linear linear(TreePath path) throws IOException {
    Linear.Builder linear = Linear.newBuilder();
    new Fields(json, path)
        .required("name", at -> linear.setName(Fields.string(json, at)))
        .required("out", at -> linear.setOut(Fields.integer(json, at)))
        .required("in", at -> linear.setIn(Fields.integer(json, at)))
        .optional("mass", at -> linear.setMass(Fields.number(json, at)))
        .read();
    return linear.build();
  }

  private Embed embed(TreePath path) throws IOException {
    Embed.Builder embed = Embed.newBuilder();
    new Fields(json, path)
        .required("name", at -> embed.setName(Fields.string(json, at)))
        .required("rows", at -> embed.setRows(Fields.integer(json, at)))
        .required("columns", at -> embed.setColumns(Fields.integer(json, at)))
        .optional("mass", at -> embed.setMass(Fields.number(json, at)))
        .read();
    return embed.build();
  }

  private Bond bond(TreePath path) throws IOException {
    Bond.Builder bond = Bond.newBuilder();
    new Fields(json, path)
        .required("kind", at -> bond.setKind(Fields.string(json, at)))
        .optional("scale", at -> bond.setScale(Fields.number(json, at)))
        .read();
    return bond.build();
  }

  private Scale scale(TreePath path, int depth) throws IOException {
    Scale.Builder scale = Scale.newBuilder();
    new Fields(json, path)
        .required("factor", at -> scale.setFactor(Fields.number(json, at)))
        .required("of", at -> scale.setOf(module(at, depth + 1)))
        .read();
    return scale.build();
  }

  private Repeat repeat(TreePath path, int depth) throws IOException {
    Repeat.Builder repeat = Repeat.newBuilder();
    new Fields(json, path)
        .required("count", at -> repeat.setCount(Fields.integer(json, at)))
        .required("of", at -> repeat.setOf(module(at, depth + 1)))
        .read();
    return repeat.build();
  }

  private Mass mass(TreePath path, int depth) throws IOException {
    Mass.Builder mass = Mass.newBuilder();
    new Fields(json, path)
        .required("absolute", at -> mass.setAbsolute(Fields.number(json, at)))
        .required("of", at -> mass.setOf(module(at, depth + 1)))
        .read();
    return mass.build();
  }

  private List<Module> modules(String kind, TreePath path, int depth) throws IOException {
    Fields.expect(json, path.child(kind), JsonToken.BEGIN_ARRAY, "an array of modules");
    List<Module> modules = new ArrayList<>();
    json.beginArray();
    while (json.hasNext()) {
      modules.add(module(path.child(kind, modules.size()), depth + 1));
    }
    json.endArray();
    return modules;
  }
}
