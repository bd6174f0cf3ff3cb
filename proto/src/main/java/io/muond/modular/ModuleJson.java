package io.muond.modular;

import static java.util.Objects.requireNonNull;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import com.google.protobuf.Descriptors.FieldDescriptor;
import io.muond.v1.Module;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;

/**
 * The JSON form of a module tree. A module is an object with one key, its kind:
 *
 * <pre>
 *   {"linear": {"name": NAME, "out": N, "in": N, "mass": M, "heads": N, "ranges": [RANGE, …], SETTINGS}}
 *   {"embed": {"name": NAME, "rows": N, "columns": N, "mass": M, SETTINGS}}
 *   {"convolution": {"name": NAME, "out": N, "in": N, "kernel": [N, …], "mass": M, SETTINGS}}
 *   {"bias": {"name": NAME, "size": N, "mass": M, SETTINGS}}         {"gain": …} alike
 *   {"bond": {"kind": KIND, "scale": A}}
 *   {"sequence": [MODULE, …]}   {"tuple": [MODULE, …]}   {"sum": [MODULE, …]}
 *   {"scale": {"factor": A, "of": MODULE}}
 *   {"repeat": {"count": N, "of": MODULE}}
 *   {"mass": {"absolute": M, "of": MODULE}}
 *   {"mlp": …}  {"convolution_stack": …}  {"attention": …}  {"gpt_block": …}  {"gpt": …}
 *   SETTINGS: "manifold": "stiefel", "norm": "spectral", "view": "last-two", "radius": R,
 *     "rule": {"momentum": 0.9, …}, "group": NAME, "initial": "zero"
 * </pre>
 *
 * <p>Keys are the names of the fields in {@code module.proto} and {@code parameter.proto}, which
 * say what is optional; constants are their short names. Sequences are in application order.
 * Unknown and repeated keys are refused.
 */
public final class ModuleJson {
  /** The kinds of modules. */
  static final List<String> KINDS =
      Module.getDescriptor().getOneofs().get(0).getFields().stream()
          .map(FieldDescriptor::getName)
          .toList();

  private ModuleJson() {}

  /**
   * Reads a tree and checks it as {@link Planner} does.
   *
   * @throws ModuleException if the text is not JSON, has another form, or the tree breaks a rule
   */
  public static Module parse(String text) {
    try {
      return parse(new StringReader(requireNonNull(text, "text is null")));
    } catch (IOException e) {
      throw new UncheckedIOException("a string cannot fail to be read", e);
    }
  }

  /**
   * Reads a tree and checks it as {@link Planner} does.
   *
   * @throws ModuleException if the text is not JSON, has another form, or the tree breaks a rule
   * @throws IOException if the reader fails
   */
  public static Module parse(Reader text) throws IOException {
    JsonReader json = new JsonReader(text);
    json.setStrictness(Strictness.STRICT);
    Module module = new ModuleReader(json).read();
    Distributor.distribute(Measurer.measure(module));
    return module;
  }

  /** The kind of a module that has one. */
  static String kind(Module module) {
    return Module.getDescriptor().findFieldByNumber(module.getKindCase().getNumber()).getName();
  }

  /** Writes a tree, on one line. Empty settings are left out. */
  public static String format(Module module) {
    StringWriter text = new StringWriter();
    try (JsonWriter json = new JsonWriter(text)) {
      new ModuleWriter(json).write(requireNonNull(module, "module is null"));
    } catch (IOException e) {
      throw new UncheckedIOException("a string cannot fail to be written", e);
    }
    return text.toString();
  }
}
