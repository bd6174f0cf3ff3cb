package io.muond.server.rpc;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.muond.server.model.MuondException;
import io.muond.v1.ErrorReason;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What google.rpc has for errors: always an ErrorInfo, first; what the status calls for; and when
 * to try again, where that is known.
 */
final class ErrorDetails {
  private static final int MOST_VALUE_BYTES = 512;
  private static final String DOMAIN = "muond.io";
  private static final String MODEL = "model";

  private ErrorDetails() {}

  /** Those of a refusal that ends a call with {@code code}. */
  static List<Any> of(MuondException refusal, Status.Code code) {
    List<Any> details = new ArrayList<>();
    details.add(Any.pack(info(refusal)));
    forCode(refusal, code).map(Any::pack).ifPresent(details::add);
    refusal
        .retryDelay()
        .map(delay -> RetryInfo.newBuilder().setRetryDelay(Durations.proto(delay)).build())
        .map(Any::pack)
        .ifPresent(details::add);
    return details;
  }

  private static ErrorInfo info(MuondException refusal) {
    ErrorInfo.Builder info =
        ErrorInfo.newBuilder().setDomain(DOMAIN).setReason(refusal.reason().name());
    refusal.metadata().forEach((key, value) -> info.putMetadata(key, cut(value)));
    return info.build();
  }

  private static Optional<Message> forCode(MuondException refusal, Status.Code code) {
    return switch (code) {
      case INVALID_ARGUMENT -> Optional.of(badRequest(refusal));
      case NOT_FOUND, ALREADY_EXISTS -> Optional.of(resource(refusal));
      case FAILED_PRECONDITION -> Optional.of(precondition(refusal));
      case RESOURCE_EXHAUSTED -> Optional.of(quota(refusal));
      default -> Optional.empty();
    };
  }

  private static BadRequest badRequest(MuondException refusal) {
    return BadRequest.newBuilder()
        .addFieldViolations(
            BadRequest.FieldViolation.newBuilder()
                .setField(cut(field(refusal)))
                .setReason(refusal.reason().name())
                .setDescription(cut(refusal.getMessage())))
        .build();
  }

  /** The name that the field has in its message. */
  private static String field(MuondException refusal) {
    return switch (refusal.reason()) {
      case INVALID_FIELD, CALL_MALFORMED -> refusal.metadata().get("field");
      case UNKNOWN_WORKER -> "worker";
      case DUPLICATE_PARAMETER -> "parameters.name";
      case SHAPE_MISMATCH -> "chunks.shape";
      case DATA_TYPE_MISMATCH -> "chunks.data_type";
      case NOT_FINITE -> "chunks.data";
      case MISSING_PARAMETER, BAD_CHUNK -> "chunks";
      default -> "chunks.parameter";
    };
  }

  private static ResourceInfo resource(MuondException refusal) {
    Map<String, String> metadata = refusal.metadata();
    ResourceInfo.Builder resource =
        ResourceInfo.newBuilder().setDescription(cut(refusal.getMessage()));
    return switch (refusal.reason()) {
      case CHECKPOINT_NOT_FOUND ->
          resource
              .setResourceType("muond.v1.Checkpoint")
              .setResourceName(cut(metadata.get("checkpoint")))
              .build();
      case SERVICE_NOT_FOUND -> resource.setResourceType("service").build();
      default ->
          resource
              .setResourceType("muond.v1.Model")
              .setResourceName(cut(metadata.get(MODEL)))
              .build();
    };
  }

  private static PreconditionFailure precondition(MuondException refusal) {
    return PreconditionFailure.newBuilder()
        .addViolations(
            PreconditionFailure.Violation.newBuilder()
                .setType(refusal.reason().name())
                .setSubject(subject(refusal.metadata()))
                .setDescription(cut(refusal.getMessage())))
        .build();
  }

  /** What it is about, as {@code KIND:NAME}. */
  private static String subject(Map<String, String> metadata) {
    for (String kind : List.of(MODEL, "device", "client")) {
      if (metadata.containsKey(kind)) {
        return kind + ":" + cut(metadata.get(kind));
      }
    }
    return "server";
  }

  private static QuotaFailure quota(MuondException refusal) {
    QuotaFailure.Violation.Builder violation =
        QuotaFailure.Violation.newBuilder().setDescription(cut(refusal.getMessage()));
    if (refusal.reason() == ErrorReason.QUOTA_EXCEEDED) {
      violation
          .setSubject("principal:" + refusal.metadata().get("principal"))
          .setQuotaMetric(refusal.metadata().get("quota"));
    } else {
      violation.setSubject(subject(refusal.metadata()));
    }
    return QuotaFailure.newBuilder().addViolations(violation).build();
  }

  private static String cut(String text) {
    return Errors.cut(text, MOST_VALUE_BYTES);
  }
}
