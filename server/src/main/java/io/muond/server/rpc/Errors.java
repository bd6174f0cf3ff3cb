package io.muond.server.rpc;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RequestInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.StatusProto;
import io.muond.server.engine.DeviceLostException;
import io.muond.server.model.MuondException;
import io.muond.server.model.Refusals;
import io.muond.server.model.ServerRefusals;
import io.muond.v1.ErrorReason;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one place where failures become gRPC statuses. */
final class Errors {
  /**
   * Errors travel as headers, and gRPC takes 8 KiB of these: the message once as text, in which a
   * byte may take three characters, and once in the details, with a handful of values, in base 64.
   */
  private static final int MOST_MESSAGE_BYTES = 1024;

  private static final int MOST_BYTES_PER_CHAR = 3;
  private static final String ELLIPSIS = "…";
  private static final Logger logger = LoggerFactory.getLogger(Errors.class);
  private static final Metadata.Key<com.google.rpc.Status> DETAILS =
      Metadata.Key.of(
          "grpc-status-details-bin",
          ProtoUtils.metadataMarshaller(com.google.rpc.Status.getDefaultInstance()));

  private static final SecureRandom RANDOM = new SecureRandom();

  private Errors() {}

  /** The status of a failure. One that is not meant for clients is logged under an incident id. */
  static StatusRuntimeException status(Throwable failure) {
    Throwable cause = failure;
    while (cause.getCause() != null
        && (cause instanceof CompletionException || cause instanceof ExecutionException)) {
      cause = cause.getCause();
    }
    if (cause instanceof MuondException e) {
      return status(e);
    }
    if (cause instanceof DeviceLostException e) {
      return status(Refusals.deviceLost(e));
    }
    if (cause instanceof StatusRuntimeException
        && cause.getCause() instanceof InvalidProtocolBufferException malformed) {
      return status(
          Refusals.malformedCall(
              "message", malformed.getMessage(), "the bytes of the method's request"));
    }
    String incident = HexFormat.of().toHexDigits(RANDOM.nextInt());
    logger.error("incident {}", incident, cause);
    return status(
        cause instanceof OutOfMemoryError
            ? ServerRefusals.hostMemoryLost(incident)
            : ServerRefusals.internalFault(incident));
  }

  private static StatusRuntimeException status(MuondException refusal) {
    Status.Code code = code(refusal.reason());
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder()
            .setCode(code.value())
            .setMessage(cut(refusal.getMessage(), MOST_MESSAGE_BYTES))
            .addAllDetails(ErrorDetails.of(refusal, code))
            .build());
  }

  /**
   * Adds to what a failed call is told: the call's id, and a reason where gRPC gave none.
   *
   * @return the status to end with
   */
  static Status complete(Status status, Metadata trailers, String request) {
    if (status.isOk()) {
      return status;
    }
    Status told = status;
    if (!trailers.containsKey(DETAILS)) {
      Optional<MuondException> reason = ofTransport(status);
      if (reason.isPresent()) {
        StatusRuntimeException known = status(reason.get());
        told = known.getStatus();
        trailers.merge(known.getTrailers());
      }
    }
    com.google.rpc.Status details =
        StatusProto.fromStatusAndTrailers(told, trailers).toBuilder()
            .addDetails(Any.pack(RequestInfo.newBuilder().setRequestId(request).build()))
            .build();
    trailers.discardAll(DETAILS);
    trailers.put(DETAILS, details);
    return told;
  }

  /** What gRPC's own words mean; what muond says has its reason already. */
  private static Optional<MuondException> ofTransport(Status status) {
    String said = status.getDescription() == null ? "" : status.getDescription();
    return switch (status.getCode()) {
      case NOT_FOUND -> Optional.of(ServerRefusals.serviceNotFound(said));
      // Only about how many messages came.
      case INTERNAL ->
          Optional.of(Refusals.invalidField("message", said, "one of the method's requests"));
      default -> Optional.empty();
    };
  }

  /**
   * What a status says of why.
   *
   * @param name of the reason, "" for none
   * @param model that it names, "" for none
   */
  record Reason(String name, String model) {
    private static final Reason NONE = new Reason("", "");
  }

  /** Why a call ends so. */
  static Reason reason(Status status, Metadata trailers) {
    com.google.rpc.Status details =
        status.isOk() ? null : StatusProto.fromStatusAndTrailers(status, trailers);
    if (details == null || details.getDetailsCount() == 0) {
      return Reason.NONE;
    }
    try {
      ErrorInfo info = details.getDetails(0).unpack(ErrorInfo.class);
      return new Reason(info.getReason(), info.getMetadataOrDefault("model", ""));
    } catch (InvalidProtocolBufferException e) {
      return Reason.NONE;
    }
  }

  /** The longest beginning that fits, whole characters and an ellipsis. */
  static String cut(String text, int bytes) {
    if (text.length() <= bytes / MOST_BYTES_PER_CHAR || bytes(text) <= bytes) {
      return text;
    }
    int end = 0;
    int used = bytes(ELLIPSIS);
    while (end < text.length()) {
      int next = text.offsetByCodePoints(end, 1);
      used += bytes(text.substring(end, next));
      if (used > bytes) {
        break;
      }
      end = next;
    }
    return text.substring(0, end) + ELLIPSIS;
  }

  private static int bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8).length;
  }

  private static Status.Code code(ErrorReason reason) {
    return switch (reason) {
      case INVALID_FIELD,
          CALL_MALFORMED,
          UNKNOWN_PARAMETER,
          DUPLICATE_PARAMETER,
          MISSING_PARAMETER,
          SHAPE_MISMATCH,
          DATA_TYPE_MISMATCH,
          NOT_FINITE,
          BAD_CHUNK,
          FROZEN_PARAMETER,
          UNKNOWN_WORKER ->
          Status.Code.INVALID_ARGUMENT;
      case MODEL_NOT_FOUND, CHECKPOINT_NOT_FOUND, SERVICE_NOT_FOUND -> Status.Code.NOT_FOUND;
      case METHOD_NOT_FOUND -> Status.Code.UNIMPLEMENTED;
      case MODEL_EXISTS -> Status.Code.ALREADY_EXISTS;
      case MODEL_REWOUND,
          MODEL_DELETED,
          STEP_CONFLICT,
          STEP_ABORTED,
          STEP_EXPIRED,
          WORKERS_CHANGED,
          WEIGHTS_SUPERSEDED ->
          Status.Code.ABORTED;
      case WEIGHTS_MISSING,
          STEP_GAP,
          STEP_NOT_OPEN,
          STEP_NOT_AVAILABLE,
          DEVICE_LOST,
          PROTOCOL_NOT_SPOKEN,
          NO_DATA_DIRECTORY ->
          Status.Code.FAILED_PRECONDITION;
      case OUT_OF_MEMORY, HOST_MEMORY, QUOTA_EXCEEDED -> Status.Code.RESOURCE_EXHAUSTED;
      case CHECKPOINT_CORRUPT -> Status.Code.DATA_LOSS;
      case UNAUTHENTICATED -> Status.Code.UNAUTHENTICATED;
      case STORAGE_FAILED, SHUTTING_DOWN -> Status.Code.UNAVAILABLE;
      case INTERNAL_FAULT, REASON_UNSPECIFIED, UNRECOGNIZED -> Status.Code.INTERNAL;
    };
  }
}
