import { type EnumType, enumeration, message, string } from './schema.ts';

/** The messages of grpc.health.v1.Health. Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md */

export const ServingStatus: EnumType = {
  name: 'grpc.health.v1.HealthCheckResponse.ServingStatus',
  values: ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'],
};
export const HealthCheckRequest = message('grpc.health.v1.HealthCheckRequest', { service: string(1) });
export const HealthCheckResponse = message('grpc.health.v1.HealthCheckResponse', {
  status: enumeration(1, ServingStatus),
});
