import { BadRequestException, ValidationPipe } from '@nestjs/common'

/** A ValidationPipe that answers with class-validator's errors as they are: property, constraints, children. */
export const pipe = new ValidationPipe({
  transform: true,
  validationError: { target: false, value: false },
  exceptionFactory: (errors) => new BadRequestException(errors),
})
