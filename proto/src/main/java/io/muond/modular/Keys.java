package io.muond.modular;

import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import io.muond.manifold.Words;
import io.muond.v1.AtomSettings;
import io.muond.v1.Module;
import io.muond.v1.Sequence;
import io.muond.v1.Sum;
import io.muond.v1.Tuple;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * How messages are written in JSON: keys are the fields' names, constants their short names. Three
 * things are shorter than the messages: a module is its kind; sequence, tuple and sum are arrays;
 * an atom's settings are keys of the atom.
 */
final class Keys {
  /** Keys without which an object means nothing, by message. */
  private static final Map<String, Set<String>> REQUIRED =
      Map.ofEntries(
          Map.entry("Linear", Set.of("name", "out", "in")),
          Map.entry("Embed", Set.of("name", "rows", "columns")),
          Map.entry("Convolution", Set.of("name", "out", "in", "kernel")),
          Map.entry("Bias", Set.of("name", "size")),
          Map.entry("Gain", Set.of("name", "size")),
          Map.entry("Bond", Set.of("kind")),
          Map.entry("Scale", Set.of("factor", "of")),
          Map.entry("Repeat", Set.of("count", "of")),
          Map.entry("Mass", Set.of("absolute", "of")),
          Map.entry("Mlp", Set.of("widths")),
          Map.entry("ConvolutionStack", Set.of("channels", "kernel")),
          Map.entry("Attention", Set.of("width")),
          Map.entry("GptBlock", Set.of("width")),
          Map.entry("Gpt", Set.of("vocabulary", "width", "blocks")),
          Map.entry("RowRange", Set.of("name", "rows")));

  private static final Set<String> ARRAYS =
      Set.of(
          Sequence.getDescriptor().getName(),
          Tuple.getDescriptor().getName(),
          Sum.getDescriptor().getName());

  private Keys() {}

  static boolean isRequired(FieldDescriptor field) {
    return REQUIRED
        .getOrDefault(field.getContainingType().getName(), Set.of())
        .contains(field.getName());
  }

  static boolean isArray(FieldDescriptor kind) {
    return ARRAYS.contains(kind.getMessageType().getName());
  }

  static boolean isModule(FieldDescriptor field) {
    return field.getJavaType() == JavaType.MESSAGE
        && field.getMessageType() == Module.getDescriptor();
  }

  static boolean isSettings(FieldDescriptor field) {
    return field.getJavaType() == JavaType.MESSAGE
        && field.getMessageType() == AtomSettings.getDescriptor();
  }

  /** The constants of a type by their words; the unspecified one has none. */
  static Map<String, EnumValueDescriptor> words(EnumDescriptor type) {
    Map<String, EnumValueDescriptor> words = new LinkedHashMap<>();
    for (EnumValueDescriptor constant : type.getValues()) {
      if (constant.getNumber() != 0) {
        words.put(Words.of(constant), constant);
      }
    }
    return words;
  }
}
